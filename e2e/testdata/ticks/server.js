// Prints a line every 100 ms and says over HTTP how many there are.
let ticks = 0;
setInterval(() => console.log(`tick ${ticks++}`), 100);
require("http").createServer((_, r) => r.end(String(ticks))).listen(process.env.PORT, "0.0.0.0");
