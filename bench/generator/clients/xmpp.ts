import { Link } from "../link.ts";
import type { Door } from "../protocol.ts";
import { TEXT } from "../text.ts";
import { countingProtocol } from "./counting.ts";

const ROOM = "room@conference.localhost";
const OPEN = "<stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const AUTH = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
const BIND = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
const MESSAGE = Buffer.from(`<message type='groupchat' to='${ROOM}'><body>${TEXT}</body></message>`);

/** XMPP with multi-user chat; each member signs in anonymously. */
export const xmpp = countingProtocol(join, MESSAGE);

async function join(door: Door, nickname: string): Promise<Link> {
  const link = await Link.open(door.port);
  await ask(link, OPEN, "</stream:features>");
  await ask(link, AUTH, "<success");
  await ask(link, OPEN, "</stream:features>");
  await ask(link, BIND, "</iq>");
  await ask(link, presence(nickname), "code='110'");
  return link;
}

async function ask(link: Link, stanza: string, answer: string): Promise<void> {
  link.write(stanza);
  await link.until(answer);
}

function presence(nickname: string): string {
  return `<presence to='${ROOM}/${nickname}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>`;
}
