/**
 * The texts of a form that is sent, without their blanks around.
 *
 * @param {SubmitEvent} event
 * @returns {(name: string) => string}
 */
export function fieldsOf(event) {
  event.preventDefault();
  const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
  return (name) => {
    const value = form.get(name);
    return typeof value === "string" ? value.trim() : "";
  };
}
