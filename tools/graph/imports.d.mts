export const importGraph: (
  root: string,
) => Map<string, { readonly lines: number; readonly imports: string[]; readonly packages: string[] }>
export const circlesIn: (edges: ReadonlyMap<string, readonly string[]>) => string[][]
