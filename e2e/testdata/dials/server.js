// Tells what it reaches from where it runs: /dial?to=address:port,… connects to each by TCP, /there?path=… looks for a file.
const fs = require("fs"), net = require("net");

const dial = (to) => new Promise((done) => {
  const at = to.lastIndexOf(":");
  const socket = net.connect({ host: to.slice(0, at), port: +to.slice(at + 1), timeout: 2000 });
  socket.on("connect", () => { socket.destroy(); done("reached"); });
  socket.on("timeout", () => { socket.destroy(); done("silent"); });
  socket.on("error", (e) => done(e.code));
});

require("http").createServer(async (q, r) => {
  const url = new URL(q.url, "http://localhost");
  if (url.pathname === "/dial") {
    const all = url.searchParams.get("to").split(",");
    const answers = await Promise.all(all.map(dial));
    return r.end(JSON.stringify(Object.fromEntries(all.map((to, i) => [to, answers[i]]))));
  }
  if (url.pathname === "/there") return r.end(String(fs.existsSync(url.searchParams.get("path"))));
  r.end("hello");
}).listen(process.env.PORT, "0.0.0.0");
