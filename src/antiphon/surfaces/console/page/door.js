/** The forms at the door: signing in, the first account, and coming back where a session has ended. */

import { ask, attempt, carry, el, problem } from "./kit.js";
import { say } from "./words.js";

/** `act(fields)` lets them in; `done()` afterwards. Returns the form. */
function form(text, button, fields, act, done) {
  const wrong = problem();
  const made = el("form", { className: "form", onsubmit: async (event) => {
    event.preventDefault();
    await attempt(wrong, async () => {
      await act(Object.fromEntries(new FormData(made)));
      await done();
    });
  } }, wrong, text && el("p", {}, text), ...fields, el("div", { className: "row" }, el("button", { className: "main" }, button)));
  return made;
}

const nameField = (value = "") => el("label", {}, say("name"), el("input", { name: "name", value, readOnly: Boolean(value), autocomplete: "username", autocapitalize: "none", required: true, maxLength: 100 }));
const passwordField = () => el("label", {}, say("password"), el("input", { name: "password", type: "password", autocomplete: "current-password", required: true }));
const signIn = (body) => ask("sign-in", { method: "POST", body });

export const signInForm = (done) => form(null, say("sign_in"), [nameField(), passwordField()], signIn, done);

export function setUpForm(token, done) {
  const password = el("label", {}, say("new_password"), el("input", { name: "password", type: "password", autocomplete: "new-password", required: true, minLength: 10 }));
  return form(say("set_up_text"), say("set_up"), [nameField(), password], (body) => ask("setup", { method: "POST", body: { ...body, token } }), done);
}

/** Above the page, which stays as it is: the same person signs in again. Until then, or until they will not: whether they did. */
export function comeBack(user) {
  return new Promise((resolve) => {
    let back = false;
    const dialog = el("dialog", { "aria-labelledby": "come-back", onclose: () => {
      dialog.remove();
      resolve(back);
    } }, el("h2", { id: "come-back" }, say("come_back")));
    const made = form(say("come_back_text"), say("sign_in"), [nameField(user.name), passwordField()], signIn, async () => {
      carry((await ask("me")).user?.csrf);
      back = true;
      dialog.close();
    });
    made.lastChild.append(el("button", { type: "button", onclick: () => dialog.close() }, say("not_now")));
    dialog.append(made);
    document.body.append(dialog);
    dialog.showModal();
    made.querySelector("[type=password]").focus();
  });
}
