module.exports = { greet: name => `hello ${name}, from the package beside it` }
