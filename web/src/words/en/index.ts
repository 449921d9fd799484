// All texts in English, page by page.
import claim from "./claim";
import shell from "./shell";

export default { shell, claim };
