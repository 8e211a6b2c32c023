/** Dates, shares and durations of the report, as text. */
import { TIERS } from '../../shared/rules'

export const isoDate = (date: Date) =>
  [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, '0'))
    .join('-')

export const addDays = (date: Date, days: number) =>
  new Date(date.getFullYear(), date.getMonth(), date.getDate() + days)

export const tierName = (tier: number) =>
  `${tier} ${TIERS.find((known) => known.tier === tier)?.name ?? ''}`.trim()
export const formatShare = (share: string | null) =>
  share === null ? '–' : `${(Number(share) * 100).toFixed(1)} %`
export function formatDuration(seconds: string | null): string {
  if (seconds === null) return '–'
  const minutes = Math.round(Number(seconds) / 60)
  if (minutes < 60) return `${minutes} min`
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${(minutes / 60 / 24).toFixed(1)} days`
}
