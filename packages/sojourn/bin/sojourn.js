#!/usr/bin/env node
import { main } from '@sojourn/cli'

main(process.argv)
