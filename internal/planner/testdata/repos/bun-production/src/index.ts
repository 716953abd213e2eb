Bun.serve({ port: process.env.PORT, fetch: () => new Response(`started ${process.env.SAYS}`) });
