import type { Feeds } from "../log/feeds.ts";
import type { RoomFeed } from "../log/room-feed.ts";
import type { LiveConnection } from "./live-connection.ts";
import { type ChannelOwner, type Follower, RoomChannel } from "./room-channel.ts";
import type { TurnQueue } from "./turn-queue.ts";

/** The rooms that somebody on this node follows. A followed room's feed stays in memory. */
export class Channels {
  readonly #feeds: Feeds;
  readonly #queue: TurnQueue;
  readonly #owner: ChannelOwner;
  readonly #byRoom = new Map<string, RoomChannel>();

  constructor(feeds: Feeds, queue: TurnQueue, owner: ChannelOwner) {
    this.#feeds = feeds;
    this.#queue = queue;
    this.#owner = owner;
  }

  peek(roomId: string): RoomChannel | undefined {
    return this.#byRoom.get(roomId);
  }

  /** Registers a follower, which is not live yet. @throws ParlorError NOT_FOUND when there is no such room */
  async follow(connection: LiveConnection, roomId: string): Promise<Follower> {
    const feed = this.#feeds.peek(roomId) ?? (await this.#feeds.get(roomId));
    const known = connection.followers.get(roomId);
    if (known) return known;
    const { sink } = connection;
    // One that nobody follows is not kept: its feed is not pinned, and another may take its place.
    const isOver = connection.state === "ended";
    const channel = isOver ? new RoomChannel(feed, this.#queue, this.#owner) : this.#of(feed);
    const follower: Follower = { connection, sink, channel, gone: isOver, live: false, fastPath: undefined };
    if (isOver) return follower;
    this.#feeds.pin(feed);
    channel.followers++;
    // The feed's own string: each reader has read another copy of the id from the Store.
    connection.followers.set(feed.roomId, follower);
    return follower;
  }

  leave(follower: Follower): void {
    const { channel, connection } = follower;
    const { roomId } = channel.feed;
    if (connection.followers.get(roomId) !== follower) return;
    connection.followers.delete(roomId);
    channel.leave(follower);
    this.#feeds.unpin(channel.feed);
    channel.followers--;
    if (channel.followers === 0) this.#byRoom.delete(roomId);
  }

  #of(feed: RoomFeed): RoomChannel {
    let channel = this.#byRoom.get(feed.roomId);
    if (!channel) {
      channel = new RoomChannel(feed, this.#queue, this.#owner);
      this.#byRoom.set(feed.roomId, channel);
    }
    return channel;
  }
}
