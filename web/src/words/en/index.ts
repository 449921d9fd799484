// All texts in English, page by page.
import claim from "./claim";
import connect from "./connect";
import models from "./models";
import now from "./now";
import shell from "./shell";

export default { shell, claim, models, now, connect };
