// The first visit, and signing in.
export default {
  title: "Make this box yours",
  intro:
    "Nobody owns this box yet, so it answers nobody on the network. Whoever has its setup code can make it theirs.",
  compareTitle: "First: is this the right box?",
  compare:
    "Compare this ID with the one on the box's own screen or in its log (`hob status` shows it, too). If they differ, somebody is between you and the box: stop here.",
  same: "The IDs are the same",
  certificate: "Why did my browser warn me?",
  certificateText:
    "The box made its own certificate, which your browser does not know yet. The ID tells whether it is the box's.",
  trust: "Teach this device to trust the box",
  code: "Setup code",
  codeHint: "Eight letters and digits. The box shows it on its screen and in its log; on the box, `hob status` does.",
  ownerTitle: "Who are you?",
  name: "Your name",
  password: "Password",
  passwordHint: "At least 8 characters. Only you can reset it, at the box itself.",
  repeat: "Password, once more",
  different: "The two passwords are not the same.",
  boxTitle: "The box",
  boxName: "What do you call it?",
  boxNameHint: "Shown to people, as “Kitchen” or “Office”.",
  share: "Paired boxes of mine may have this box's models",
  shareHint: "Another Hob that you pair with this one then copies models from here instead of from the internet.",
  act: "Claim this box",
  done: "This box is yours.",
  signIn: "Sign in",
  signInTitle: (box: string) => `Sign in to ${box}`,
  device: "This box's ID begins with",
  forgotten: "Forgot the password? At the box, `hob claim --reset-password --name NAME` sets another.",
};
