/** The machine under the benchmarks: which cores to use, and what else they did meanwhile (Linux). */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** Where the server and the load run; undefined where processes cannot be pinned. */
export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** Two cores that this process may use, of different physical ones where there are. */
export function findCores(): Cores | undefined {
  if (spawnSync('taskset', ['--version']).error !== undefined) return undefined;
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const [server, ...others] = numbersOf(allowed?.[1] ?? '');
  if (server === undefined || others[0] === undefined) return undefined;
  const siblings = siblingsOf(server);
  return { server, load: others.find((core) => !siblings.includes(core)) ?? others[0] };
}

/** Reads `0-3,8`. */
function numbersOf(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number);
    return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** The hardware threads of a core's physical one. */
function siblingsOf(core: number): number[] {
  const file = `/sys/devices/system/cpu/cpu${core}/topology/thread_siblings_list`;
  try {
    return numbersOf(readFileSync(file, 'utf8').trim());
  } catch {
    return [core];
  }
}

/** The command line that runs a program on one core. */
export function pinned(core: number | undefined, command: readonly string[]): readonly string[] {
  return core === undefined ? command : ['taskset', '-c', String(core), ...command];
}

/** What a machine is, for a report. */
export function describeMachine(): string {
  const [cpu] = os.cpus();
  return `${os.type()} ${os.release()}, ${os.cpus().length} x ${cpu?.model}, Node ${process.versions.node}`;
}

/** What the cores and our processes had done so far, in clock ticks of 10 ms. */
interface Ticks {
  /** By programs on the pinned cores. */
  readonly busy: number;
  /** Taken from them by the hypervisor. */
  readonly stolen: number;
  readonly server: number;
  readonly load: number;
}

/** What happened on the pinned cores in a window; shares of one core's time. */
export interface Usage {
  readonly server: number;
  readonly load: number;
  /** By programs that are not ours, on both cores together. */
  readonly others: number;
  readonly stolen: number;
}

const TICKS_A_SECOND = 100;

/** Tells what the cores did between two moments. */
export class CoreWatch {
  readonly #cores: Cores | undefined;
  readonly #serverPid: number;
  #fromMs = 0;
  #from: Ticks | undefined;

  constructor(cores: Cores | undefined, serverPid: number) {
    this.#cores = cores;
    this.#serverPid = serverPid;
  }

  begin(): void {
    this.#fromMs = performance.now();
    this.#from = this.#ticks();
  }

  /** Since `begin`; undefined where the machine does not tell. */
  end(): Usage | undefined {
    const [from, to] = [this.#from, this.#ticks()];
    if (from === undefined || to === undefined) return undefined;
    const ticks = ((performance.now() - this.#fromMs) / 1000) * TICKS_A_SECOND;
    const share = (key: keyof Ticks) => (to[key] - from[key]) / ticks;
    const [server, load] = [share('server'), share('load')];
    const others = Math.max(0, share('busy') - server - load);
    return { server, load, others, stolen: share('stolen') };
  }

  #ticks(): Ticks | undefined {
    if (this.#cores === undefined) return undefined;
    const stat = readFileSync('/proc/stat', 'utf8');
    let busy = 0;
    let stolen = 0;
    for (const core of [this.#cores.server, this.#cores.load]) {
      const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(stat)?.[1] ?? '';
      const [user = 0, nice = 0, system = 0, , , , , steal = 0] = line.split(' ').map(Number);
      // Interrupts are left out: those of the loopback belong to nobody.
      busy += user + nice + system;
      stolen += steal;
    }
    return { busy, stolen, server: ticksOf(this.#serverPid), load: ticksOf(process.pid) };
  }
}

/** What a process has used, in clock ticks; the scheduler tells it of each thread in nanoseconds. */
function ticksOf(pid: number): number {
  const threads = `/proc/${pid}/task`;
  let nanoseconds = 0;
  for (const thread of readdirSync(threads)) {
    try {
      nanoseconds += Number.parseInt(readFileSync(`${threads}/${thread}/schedstat`, 'utf8'), 10);
    } catch {
      // It ended in between.
    }
  }
  return (nanoseconds / 1e9) * TICKS_A_SECOND;
}
