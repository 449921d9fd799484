// All texts in English, page by page.
import claim from "./claim";
import keys from "./keys";
import network from "./network";
import records from "./records";
import settings from "./settings";
import shell from "./shell";

export default { shell, claim, keys, network, settings, records };
