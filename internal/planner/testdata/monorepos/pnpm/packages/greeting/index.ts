declare function require(name: string): (text: string) => number
const ms = require('ms')

export const greet = (name: string): string => `hello ${name}, for ${ms('2 days')} ms`
