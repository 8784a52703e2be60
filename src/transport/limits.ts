/** What a connection may cost, named as the settings name it. */
export interface ConnectionLimits {
  /** Time to show which protocol it is, and for the TLS handshake. */
  readonly sniffMsMax: number;
  readonly headerBytesMax: number;
  readonly headerMsMax: number;
  readonly requestMsMax: number;
  /** A connection on which nothing is under way, or whose peer reads nothing, ends after this. */
  readonly idleMsMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly streamsPerConnectionMax: number;
  /** How long a drained connection stays open for requests that are on their way. */
  readonly drainNoticeMs: number;
}
