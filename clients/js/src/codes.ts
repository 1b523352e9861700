// Every refusal and close by name. Made from crates/martlet-core/src/model/code.rs by
// `UPDATE=1 cargo test -p martlet-protocol codes`; not to be edited by hand.
// 1000 to 1999 refuse one command; 3000 to 3499 end a connection and the client comes back;
// 3500 to 3999 end it and the client stays away.

export const codes = {
  /** The server failed at this. */
  internal: 1000,
  /** The frame or body could not be read. */
  malformed: 1001,
  /** There is no such command. */
  unknown_command: 1002,
  /** The first command must be connect. */
  not_connected: 1003,
  /** This connection has said connect already. */
  already_connected: 1004,
  /** The frame or body is larger than the limit. */
  frame_too_large: 1005,
  /** There are more commands in the frame than the limit. */
  too_many_commands: 1006,
  /** There is nothing at this address. */
  not_found: 1007,
  /** This address does not answer that method. */
  method_not_allowed: 1008,
  /** There is no session with this key on this node. */
  unknown_session: 1009,
  /** The server does not speak this protocol. */
  unsupported_protocol: 1010,
  /** This is not a request that HTTP allows. */
  request_invalid: 1011,
  /** The request's headers are larger or more than the limit. */
  head_too_large: 1012,
  /** The address of the request is longer than the limit. */
  address_too_long: 1013,
  /** The request did not arrive in time. */
  request_timeout: 1014,
  /** This address is for WebSocket, version 13. */
  upgrade_required: 1015,
  /** The callback is missing or is no plain name. */
  callback_invalid: 1016,
  /** The engine behind this node cannot be reached, or did not answer. */
  engine_unavailable: 1017,
  /** The node is short of memory. */
  overloaded: 1018,
  /** A token is needed here. */
  token_missing: 1100,
  /** The token is not valid. */
  token_invalid: 1101,
  /** The token has expired. */
  token_expired: 1102,
  /** The token is not valid yet. */
  token_early: 1103,
  /** The token is for another user or channel. */
  token_mismatch: 1104,
  /** The grant is not one of this server, or has been altered. */
  grant_invalid: 1105,
  /** The grant has expired. */
  grant_expired: 1106,
  /** The API key is missing or unknown. */
  key_invalid: 1107,
  /** The API key does not permit this. */
  key_not_allowed: 1108,
  /** Pages of this origin may not connect. */
  origin_denied: 1109,
  /** The keys that tokens are checked with could not be fetched. */
  keys_unavailable: 1110,
  /** This is not a channel name. */
  channel_invalid: 1200,
  /** No namespace has this prefix. */
  namespace_unknown: 1201,
  /** You may not follow this channel. */
  subscribe_denied: 1202,
  /** You may not publish in this channel. */
  publish_denied: 1203,
  /** You may not read this channel's history. */
  history_denied: 1204,
  /** You may not see who is in this channel. */
  presence_denied: 1205,
  /** This channel does not keep presence. */
  presence_off: 1206,
  /** This channel keeps no history. */
  history_off: 1207,
  /** This client follows the channel already. */
  already_subscribed: 1208,
  /** This client does not follow the channel. */
  not_subscribed: 1209,
  /** This client follows as many channels as the limit allows. */
  too_many_channels: 1210,
  /** The node keeps as many channels as the limit allows. */
  node_full: 1211,
  /** The cursor could not be read. */
  cursor_invalid: 1212,
  /** The time in since could not be read. */
  since_invalid: 1213,
  /** The backend ended this subscription. */
  subscription_ended: 1214,
  /** The data is larger than the limit. */
  data_too_large: 1300,
  /** The data is neither JSON nor base64 bytes. */
  data_invalid: 1301,
  /** The name, ref, tag or idempotency key is too long or has control characters. */
  name_invalid: 1302,
  /** There are more tags than the limit allows. */
  too_many_tags: 1303,
  /** Too many commands or publications in a short time. */
  rate_limited: 1304,
  /** There are more operations in the batch than the limit allows. */
  batch_too_large: 1305,
  /** The node is stopping. */
  shutdown: 3000,
  /** The client did not answer a ping. */
  pong_missing: 3001,
  /** The client read too slowly. */
  slow: 3002,
  /** The client fell behind and the channel keeps no history. */
  lagged: 3003,
  /** Another connection took over this session. */
  replaced: 3004,
  /** The client did not say connect in time. */
  connect_timeout: 3005,
  /** The server failed. */
  failed: 3006,
  /** The token expired while connected. */
  expired: 3007,
  /** The backend asked this client to connect again. */
  reconnect: 3008,
  /** The answer is as long as one answer may be. */
  stream_full: 3009,
  /** The connection is as old as connections get here. */
  aged: 3010,
  /** The node takes in as many clients as it can just now. */
  busy: 3011,
  /** The node is short of memory and lets this client go. */
  shed: 3012,
  /** The client sent what the protocol forbids. */
  bad_frame: 3500,
  /** The client was refused. */
  unauthorized: 3501,
  /** The backend ended this connection. */
  disconnected: 3502,
  /** The client kept sending over its limit. */
  flooded: 3503,
  /** The client sent a frame larger than the limit. */
  large_frame: 3504,
} as const;

/** The name of a code. */
export type CodeName = keyof typeof codes;

/** The number of a code. */
export type Code = (typeof codes)[CodeName];
