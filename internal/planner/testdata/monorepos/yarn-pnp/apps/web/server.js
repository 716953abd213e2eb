const http = require('node:http')
const { greet } = require('@acme/greeting')

http.createServer((_, response) => response.end(greet('yarn-pnp') + '\n')).listen(process.env.PORT)
