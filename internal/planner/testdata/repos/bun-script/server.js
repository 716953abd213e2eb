Bun.serve({
  port: process.env.PORT,
  fetch: () => new Response(`served by bun ${Bun.version}`),
})
