/** What is wrong with a JWT, whoever signed it: its form, and what jose says of it. Nothing that the token holds is passed on. */
import { decodeProtectedHeader, errors } from 'jose'

type JwtFault = 'malformed' | 'expired' | 'signature'

/**
 * The header of a JWT, before anything of it is trusted.
 * @param form of the whole
 * @throws what `refusal` makes of `malformed`
 */
export const headerOf = (
  jwt: string,
  form: RegExp,
  refusal: (fault: JwtFault) => Error,
): { readonly [name: string]: unknown } => {
  if (!form.test(jwt)) throw refusal('malformed')
  try {
    return decodeProtectedHeader(jwt)
  } catch {
    throw refusal('malformed')
  }
}

/** An error of jose, which holds the claims, as one that does not. Any other error is given back. */
export const withoutClaims = (
  error: unknown,
  refusal: (fault: JwtFault) => Error,
  claimRefusal: (error: errors.JWTClaimValidationFailed) => Error,
): unknown => {
  if (error instanceof errors.JWTExpired) return refusal('expired')
  if (error instanceof errors.JWSSignatureVerificationFailed) return refusal('signature')
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error)
  return error instanceof errors.JOSEError ? refusal('malformed') : error
}
