/** Events with the methods people know from Node. */

export class Emitter {
  #listeners = new Map();

  on(event, listener) {
    if (typeof listener !== "function") throw new TypeError("a listener must be a function");
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), { listener, once: false }]);
    return this;
  }

  once(event, listener) {
    this.on(event, listener);
    this.#listeners.get(event).at(-1).once = true;
    return this;
  }

  off(event, listener) {
    const those = this.#listeners.get(event) ?? [];
    const at = those.findIndex((each) => each.listener === listener);
    if (at >= 0) this.#listeners.set(event, those.filter((_, place) => place !== at));
    return this;
  }

  removeListener(event, listener) {
    return this.off(event, listener);
  }

  removeAllListeners(event) {
    if (event === undefined) this.#listeners.clear();
    else this.#listeners.delete(event);
    return this;
  }

  listenerCount(event) {
    return this.#listeners.get(event)?.length ?? 0;
  }

  /** A listener that throws is reported as an uncaught error of the page, and the call goes on. */
  emit(event, ...values) {
    const those = this.#listeners.get(event) ?? [];
    for (const { listener, once } of those) {
      if (once) this.off(event, listener);
      try {
        listener.apply(this, values);
      } catch (error) {
        reportError(error);
      }
    }
    return those.length > 0;
  }
}
