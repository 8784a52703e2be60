/** Goes on with a value: at once where it is there, else when its promise resolves. */
export function continueWith<T, U>(
  value: T | Promise<T>,
  next: (value: T) => U | Promise<U>,
): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
