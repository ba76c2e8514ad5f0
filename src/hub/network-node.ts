/** @file Where a request may go: proxies from the environment, and no private address that nobody typed. */
import { lookup as lookupAll } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { GraftError } from "../tensor/index.ts";
import { isLocalhost } from "./handle.ts";

/** Whose an address is: anyone's, this machine's, this network's, or one that serves only machines themselves. */
type Reach = "public" | "loopback" | "private" | "special";

const ranges: readonly (readonly [Reach, readonly (readonly [string, number])[]])[] = [
  [
    "loopback",
    [
      ["127.0.0.0", 8],
      ["::1", 128],
    ],
  ],
  [
    "private",
    [
      ["10.0.0.0", 8],
      ["172.16.0.0", 12],
      ["192.168.0.0", 16],
      ["100.64.0.0", 10],
      ["fc00::", 7],
    ],
  ],
  [
    "special",
    [
      ["0.0.0.0", 8],
      ["169.254.0.0", 16],
      ["192.0.0.0", 24],
      ["192.0.2.0", 24],
      ["198.18.0.0", 15],
      ["198.51.100.0", 24],
      ["203.0.113.0", 24],
      ["224.0.0.0", 3],
      ["::", 128],
      ["64:ff9b::", 96],
      ["100::", 64],
      ["2001:db8::", 32],
      ["2002::", 16],
      ["fe80::", 10],
      ["ff00::", 8],
    ],
  ],
];

const lists: readonly (readonly [Reach, BlockList])[] = ranges.map(([reach, subnets]) => {
  const list = new BlockList();
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, net.includes(":") ? "ipv6" : "ipv4");
  return [reach, list];
});

/** Whose the IP address is; an IPv4 address inside an IPv6 one counts as itself. */
export function reachOf(address: string): Reach {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  return lists.find(([, list]) => list.check(address, family))?.[0] ?? "public";
}

/** The IP addresses of a name; itself where it is one. */
async function addressesOf(hostname: string): Promise<readonly string[]> {
  const bare = hostname.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0) return [bare];
  return await new Promise((resolve) => {
    lookupAll(bare, { all: true }, (error, found) =>
      resolve(error === null ? found.map(({ address }) => address) : []),
    );
  });
}

/** Thrown, and passed through sockets, where a name leads to an address that it may not. */
export class ForbiddenAddress extends Error {}

/**
 * What sends a request to `url`, when `typed` is what the user typed: his own host freely; to any other host only
 * public addresses, checked at the moment of connecting, or those of the same reach as the typed host's.
 *
 * @throws ForbiddenAddress where the host is an IP address out of reach
 */
export async function dispatcherFor(url: URL, typed: URL): Promise<Dispatcher> {
  if (url.hostname === typed.hostname) return dispatcher(isLocalhost(url.hostname), new Set<Reach>(reachable));
  const own = (await addressesOf(typed.hostname)).map(reachOf);
  const allowed = new Set<Reach>(["public", ...own.filter((reach) => reach !== "special")]);
  const bare = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0) refuseReach(bare, allowed);
  if (isLocalhost(url.hostname) && !allowed.has("loopback"))
    throw new ForbiddenAddress(`${url.hostname} is this machine`);
  return dispatcher(isLocalhost(url.hostname), allowed);
}

const reachable: readonly Reach[] = ["public", "loopback", "private", "special"];
const dispatchers = new Map<string, Dispatcher>();

/** One for each set of options, so that connections are kept; they let a process end. */
function dispatcher(isDirect: boolean, allowed: ReadonlySet<Reach>): Dispatcher {
  const proxies = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];
  const key = JSON.stringify([isDirect, [...allowed].sort(), proxies.map((name) => process.env[name])]);
  const known = dispatchers.get(key);
  if (known !== undefined) return known;
  const options = { connect: { lookup: guardedLookup(allowed) } };
  let made: Dispatcher;
  try {
    // Nobody's proxy leads to this machine.
    made = isDirect ? new Agent(options) : new EnvHttpProxyAgent(options);
  } catch (cause) {
    throw new GraftError("usage", "the proxy's address is none", {
      path: ["HTTPS_PROXY"],
      expected: "http://host:port",
      cause,
    });
  }
  dispatchers.set(key, made);
  return made;
}

function guardedLookup(allowed: ReadonlySet<Reach>): LookupFunction {
  return (hostname, options, callback) => {
    lookupAll(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "");
      try {
        for (const { address } of found) refuseReach(address, allowed);
      } catch (cause) {
        // The callback's type asks for a system error; this one is only passed on.
        return callback(cause as NodeJS.ErrnoException, "");
      }
      const first = found[0];
      if (options.all === true || first === undefined) callback(null, found);
      else callback(null, first.address, first.family);
    });
  };
}

function refuseReach(address: string, allowed: ReadonlySet<Reach>): void {
  const reach = reachOf(address);
  if (!allowed.has(reach))
    throw new ForbiddenAddress(`${address} is ${reach === "loopback" ? "this machine" : `a ${reach} address`}`);
}
