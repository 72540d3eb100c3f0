// A picture that fits its card: the wheel and + - zoom about the pointer, dragging pans, 0 or a double click fits.
const LARGEST = 32;
const STEP = 1.25;
const SMALL = 128; // pixels: smaller pictures are drawn pixelated, not blurred

export class ImageStage extends HTMLElement {
  private readonly picture = new Image();
  private scale = 1;
  private x = 0;
  private y = 0;

  connectedCallback(): void {
    this.picture.alt = this.getAttribute("label") ?? "The item";
    this.picture.draggable = false;
    this.picture.className = "item-image";
    this.picture.addEventListener("load", () => this.sized(this.picture.naturalWidth, this.picture.naturalHeight));
    this.picture.addEventListener("error", () => {
      this.textContent = "This picture cannot be shown. Skip it, or flag it for the manager.";
    });
    this.sized(Number(this.getAttribute("width")), Number(this.getAttribute("height")));
    this.picture.src = this.getAttribute("src") ?? "";
    this.replaceChildren(this.picture);
    this.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.addEventListener("pointerdown", (event) => this.scale > 1 && this.setPointerCapture(event.pointerId));
    this.addEventListener("pointermove", (event) => this.onMove(event));
    this.addEventListener("dblclick", () => this.fit());
  }

  /** Show the whole picture. */
  fit(): void {
    this.scale = 1;
    this.x = this.y = 0;
    this.place();
  }

  /** Zoom in (positive) or out by steps about a point of the stage, its middle unless told. */
  zoom(steps: number, x = 0, y = 0): void {
    const scale = Math.min(LARGEST, Math.max(1, this.scale * STEP ** steps));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    if (scale === 1) this.x = this.y = 0;
    this.place();
  }

  private sized(width: number, height: number): void {
    const side = Math.max(width, height);
    if (side) this.picture.classList.toggle("pixelated", side < SMALL);
  }

  private onWheel(event: WheelEvent): void {
    event.preventDefault();
    const box = this.getBoundingClientRect();
    const x = event.clientX - box.left - box.width / 2;
    const y = event.clientY - box.top - box.height / 2;
    this.zoom(event.deltaY < 0 ? 1 : -1, x, y);
  }

  private onMove(event: PointerEvent): void {
    if (!this.hasPointerCapture(event.pointerId)) return;
    this.x += event.movementX;
    this.y += event.movementY;
    this.place();
  }

  private place(): void {
    this.classList.toggle("zoomed", this.scale > 1);
    this.picture.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
  }
}

customElements.define("image-stage", ImageStage);
