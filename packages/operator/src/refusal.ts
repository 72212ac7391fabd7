/** The change is not possible, or no longer, or did not come about. Its message is an operator's text. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}
