// A button that talks, for any page:
//   <script src="https://your-server/sdk/widget.js" data-assistant="front-desk" data-key="…public key…" async></script>
// Also: data-base (another server), data-lang (en, ko), data-theme (light, dark), data-position (left, right), data-label.
{
  const script = document.currentScript;
  const options = { ...script.dataset };
  const show = async () => {
    const { showWidget } = await import(new URL("widget-view.js", script.src).href);
    showWidget(options);
  };
  show().catch((error) => console.error(`[antiphon] the widget cannot be shown: ${error.message}`));
}
