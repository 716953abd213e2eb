import ms from "ms";
import { version } from "ms/package.json";

export default {
  port: process.env.PORT,
  fetch(): Response {
    return new Response(`from a binary lock file: ms ${version}, ${ms("2 days")} ms`);
  },
};
