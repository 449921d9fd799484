// All texts in English, page by page.
import chat from "./chat";
import claim from "./claim";
import connect from "./connect";
import keys from "./keys";
import models from "./models";
import network from "./network";
import now from "./now";
import records from "./records";
import settings from "./settings";
import shell from "./shell";

export default { shell, claim, chat, models, now, keys, network, settings, connect, records };
