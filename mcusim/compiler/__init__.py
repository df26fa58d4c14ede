"""From a quantised network and a schedule to a firmware image: plan, emit C, compile, link."""
