// By which addresses a program may reach the box.

/** The one by which this page came first: that one works. `plain` is for programs on the box itself. */
export function addresses(here: string, https: string[], plain: string[]): string[] {
  const all = [here, ...https, ...plain].map((address) => address.replace(/\/+$/, "")).map(readable);
  return [...new Set(all)];
}

/** Whether it is of the box itself, where no key is needed and nothing has to be trusted. */
export const isLocal = (address: string): boolean =>
  /^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|$)/.test(address);

/** Whether what is said there is between the program and the box alone, and the program has to know the box. */
export const isTls = (address: string): boolean => address.startsWith("https:");

/** The loopback has one name that people know. */
function readable(address: string): string {
  return address.replace(/^http:\/\/(127\.0\.0\.1|\[::1\])(?=:|$)/, "http://localhost");
}
