// All texts in English, page by page.
import chat from "./chat";
import claim from "./claim";
import shell from "./shell";

export default { shell, claim, chat };
