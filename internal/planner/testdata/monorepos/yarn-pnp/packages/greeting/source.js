const ms = require('ms')

module.exports = { greet: name => `hello ${name}, for ${ms('2 days')} ms` }
