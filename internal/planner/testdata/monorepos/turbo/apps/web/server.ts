declare const process: { env: Record<string, string> }
declare function require(name: string): any
const http = require('node:http')
const { greet } = require('@acme/greeting')

http.createServer((_: unknown, response: any) => response.end(greet('turbo') + '\n')).listen(process.env.PORT)
