/** @file Numbers in words: percentages, counts, intervals, sizes and times, the same everywhere. */
import type { Interval } from "./interval.ts";

const space = "\u00a0";

/** `98.3 %`; never 100 where it is less, nor 0 where it is more. */
export function percent(share: number, decimals = 1): string {
  return `${percentNumber(share, decimals)}${space}%`;
}

function percentNumber(share: number, decimals: number): string {
  const step = 10 ** -decimals;
  const value = share * 100;
  if (share < 1 && value > 100 - step / 2) return (100 - step).toFixed(decimals);
  if (share > 0 && value < step / 2) return step.toFixed(decimals);
  return value.toFixed(decimals);
}

/** `97.3–98.9 %`. */
export function percentRange([lower, upper]: Interval, decimals = 1): string {
  return `${percentNumber(lower, decimals)}–${percentNumber(upper, decimals)}${space}%`;
}

/** A share that may be missing: `98.3 %`, or a dash. */
export function percentOrDash(share: number | null): string {
  return share === null ? "–" : percent(share);
}

/** `+1.2 points`, of percentages. */
export function points(difference: number): string {
  const value = (100 * difference).toFixed(1).replace("-", "−");
  return `${difference > 0 ? "+" : ""}${value}${space}points`;
}

/** `1,000`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 photo`, `1,000 photos`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `0.0123`, with three digits that count. */
export function decimal(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.0005) return value.toExponential(1);
  return value.toFixed(size < 0.1 ? 4 : size < 10 ? 3 : 1);
}

/** `p = 0.031`, `p < 0.001`. */
export function pValueText(value: number): string {
  return value < 0.001 ? `p${space}<${space}0.001` : `p${space}=${space}${value.toFixed(3)}`;
}

/** `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}${space}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}${space}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${space}min ${whole % 60}${space}s`;
  return `${Math.floor(minutes / 60)}${space}h ${minutes % 60}${space}min`;
}

/** `812 kB`, `9.1 MB`, `1.2 GB`. */
export function bytes(value: number): string {
  if (value < 1e6) return `${Math.ceil(value / 1e3)}${space}kB`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)}${space}MB` : `${(value / 1e9).toFixed(2)}${space}GB`;
}
