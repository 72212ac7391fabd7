/** A planted bug: a slip that somebody could make, as exact text of the product and what it becomes. */
export interface Edit {
  /** From the root of the repository. */
  file: string;
  /** Occurs exactly once in the file. */
  find: string;
  replace: string;
}

export interface Mutant {
  /** In words, for the table. */
  bug: string;
  edits: readonly [Edit, ...Edit[]];
  /** The narrowest test file that must fail. */
  test: string;
  /** Of a slow test file, the tests to run: a pattern of their names. */
  only?: string;
}
