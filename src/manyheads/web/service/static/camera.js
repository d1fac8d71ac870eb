// The camera: asked for only when its button is pressed, closed when it is no longer needed.
import { h } from "/static/shared/base.js";
import { Photo } from "/static/service/photos.js";

const WHY = {
  NotAllowedError: "The browser may not use the camera. Allow it for this page (the sign beside the address, or the system's settings), then press the button again; or choose a photograph instead.",
  NotFoundError: "No camera was found. Connect one and press the button again, or choose a photograph instead.",
  NotReadableError: "The camera is in use by another program. Close that and press the button again, or choose a photograph instead.",
};
const INSECURE = "The browser lends the camera only to pages of this machine or over https. Choose a photograph instead, or open the page at 127.0.0.1.";

let stills = 0;

export class Camera {
  #stream = null;
  #opening = 0;

  /** `take(photo)` gets each still, until `signal` aborts. */
  constructor(take, signal) {
    this.take = take;
    this.place = document.getElementById("camera");
    this.button = document.getElementById("open-camera");
    this.button.setAttribute("aria-expanded", "false");
    this.button.addEventListener("click", () => (this.place.hidden ? this.open() : this.close()));
    addEventListener("pagehide", () => this.close(), { signal });
  }

  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      // A phone takes the photograph itself; elsewhere the page can only say why not.
      if (matchMedia("(pointer: coarse)").matches) document.getElementById("still").click();
      else this.#say(isSecureContext ? WHY.NotFoundError : INSECURE);
      return;
    }
    const mine = ++this.#opening;
    this.#say("Waiting for the camera …", "quiet");
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false, video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1920 } },
      });
    } catch (error) {
      if (mine === this.#opening) this.#say(WHY[error.name] ?? `The camera did not start: ${error.message}`);
      return;
    }
    if (mine !== this.#opening) {
      stream.getTracks().forEach((track) => track.stop());
      return;
    }
    this.#stream = stream;
    const video = h("video", { class: "view", autoplay: true, muted: true, playsinline: true, "aria-label": "What the camera sees" });
    video.srcObject = stream;
    video.play().catch(() => {});
    const shoot = h("button", { type: "button", class: "main", onclick: () => this.#shoot(video) }, "Take the photograph");
    const close = h("button", { type: "button", onclick: () => this.close(true) }, "Close the camera");
    this.#show(video, h("div", { class: "controls" }, shoot, close));
    shoot.focus();
  }

  close(isAsked = false) {
    this.#opening += 1;
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.place.replaceChildren();
    this.place.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (isAsked) this.button.focus();
  }

  #show(...nodes) {
    this.place.replaceChildren(...nodes);
    this.place.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
  }

  #say(words, kind = "") {
    const close = h("button", { type: "button", onclick: () => this.close(true) }, "Close");
    this.#show(h("p", { class: kind, role: "alert" }, words), h("div", { class: "controls" }, close));
  }

  #shoot(video) {
    if (!video.videoWidth) return; // it shows nothing yet
    const canvas = h("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      if (!blob) return;
      stills += 1;
      this.take(new Photo(blob, `camera-${stills}.jpg`));
    }, "image/jpeg", 0.95);
  }
}
