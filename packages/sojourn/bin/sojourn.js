#!/usr/bin/env node
import { main } from '@sojourn/server'

main(process.argv)
