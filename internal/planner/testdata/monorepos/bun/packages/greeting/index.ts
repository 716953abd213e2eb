import ms from "ms";

export const greet = (name: string): string => `hello ${name}, for ${ms("2 days")} ms`;
