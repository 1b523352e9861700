/**
 * What a run measures, in which order, and by which call of `martlet bench`. What is wanted of the figures is in
 * targets.mjs, how they are told in sections.mjs.
 *
 * `beside` says what takes turns with martlet: loops of the program itself, `peers` for all that are there, `speakers`
 * for those in which a client can publish on the connection that it follows by, or the name of one.
 */
/** The loops of the program itself. */
export const loops = ["bare", "cork", "places"];

/** The files that a process keeps for other things than the connections of a measurement. */
const others = 300;

/** The measurements. Each has a call, which may depend on what was measured before it. */
export function plan({ quick, files }) {
  const time = (seconds) => ["--seconds", quick ? 1 : seconds, "--rounds", quick ? 2 : seconds + 1];
  const wait = (seconds) => ["--seconds", quick ? 2 : seconds];
  const crowd = ["--subscribers", 1000];
  const idle = Math.min(quick ? 2000 : 15_000, files - others);
  const small = (each) => Math.min(each === 1 ? 10_000 : 1_000, Math.floor((files - others) / (2 * each)));

  return [
    ...[1, 4, 16].map((inFlight) => ({
      id: `fanout-${inFlight}`,
      call: ["fanout", ...crowd, "--in-flight", inFlight, ...time(4)],
      beside: [...loops, "peers"],
    })),
    {
      id: "open-loop",
      call: ["fanout", ...crowd, "--rate", 400, ...time(4)],
      beside: [...loops, "peers"],
    },
    {
      id: "half",
      call: (done) => ["fanout", ...crowd, "--rate", halfOfBare(done), ...time(4)],
      beside: loops,
    },
    ...[1, 16].map((inFlight) => ({
      id: `transports-${inFlight}`,
      call: ["fanout", ...crowd, "--in-flight", inFlight, ...transports(["websocket", "sse", "stream"]), ...time(4)],
      beside: ["bare"],
    })),
    { id: "channels-10", call: ["channels", "--channels", small(10), "--subscribers-each", 10, ...time(4)], beside: ["bare"] },
    { id: "channels-1", call: ["channels", "--channels", small(1), "--subscribers-each", 1, ...time(4)], beside: ["bare"] },
    {
      id: "channels-peers",
      call: ["channels", "--channels", 100, "--subscribers-each", 10, ...time(2)],
      beside: ["bare", "peers"],
    },
    { id: "cores", call: ["cores", "--workers", 2], beside: [] },
    {
      id: "idle",
      call: ["idle", "--connections", idle, ...transports(["websocket", "sse", "stream", "poll"]), ...wait(3)],
      beside: ["bare", "peers"],
      // Memory that a peer got for others and kept would not be counted a second time.
      fresh: true,
    },
    { id: "heartbeats", call: ["idle", "--connections", idle, ...wait(50)], beside: [] },
    { id: "publish", call: ["publish", "--batch", "1,100", ...wait(4)], beside: ["redis"] },
    {
      id: "recover",
      call: ["recover", "--clients", quick ? 1000 : 10_000, "--behind", 100],
      beside: ["bare"],
    },
    { id: "echo", call: ["echo", "--connections", 100, ...time(2)], beside: ["bare", "speakers"] },
    { id: "connect", call: ["connect", "--connections", 1000, "--rounds", quick ? 1 : 3], beside: ["bare", "peers"] },
    { id: "history", history: { publications: quick ? 20_000 : 200_000, payload: 128 } },
  ];
}

function transports(names) {
  return names.flatMap((name) => ["--transport", name]);
}

/**
 * Publications a second that are half of what the bare loop can deliver by one send each, as measured in this run: as
 * much as martlet and the loop can both do.
 */
function halfOfBare(done) {
  const bare = done.find(({ id }) => id === "fanout-1")?.output?.results.find(({ server }) => server === "bare");
  return bare === undefined ? 100 : Math.max(1, Math.round(bare.deliveries_per_second / 1000 / 2));
}
