/** Paths as the log and callers may see them. */

/** Segments of a path that the log shows. */
const PATH_SEGMENTS_LOGGED_MAX = 8;
/** A method's name as contracts write it: `/package.Service/Method`, in identifiers. */
const METHOD_PATH = /^\/(?:[a-z]\w{0,20}\.){1,8}[A-Z]\w{0,40}\/[A-Z]\w{0,40}$/;

/** Masks what is not known of a path: a segment that is not one of ours may be anything, also a secret. */
export class MaskedPaths {
  /** The words of the paths that there are; only these are shown of a path, but for names of methods. */
  readonly #words: ReadonlySet<string>;

  /** @param paths those that there are */
  constructor(paths: readonly string[]) {
    this.#words = new Set(paths.flatMap((path) => path.split('/')));
  }

  /** A method that is not there is named, since the API has more than are served here. */
  mask(path: string): string {
    if (METHOD_PATH.test(path)) return path;
    const segments = path.split('/', PATH_SEGMENTS_LOGGED_MAX);
    return segments.map((segment) => (this.#words.has(segment) ? segment : '*')).join('/');
  }
}
