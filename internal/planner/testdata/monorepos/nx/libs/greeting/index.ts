export const greet = (name: string): string => `hello ${name}, from the library`
