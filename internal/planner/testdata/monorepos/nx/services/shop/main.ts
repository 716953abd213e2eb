declare const process: { env: Record<string, string> }
declare function require(name: string): any
const http = require('node:http')
const { greet } = require('../../libs/greeting')

http.createServer((_: unknown, response: any) => response.end(greet('nx') + '\n')).listen(process.env.PORT)
