// Whether a release is for the machine of these settings. Pure.
import { ANY_PLATFORM } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import type { ProductSettings } from '../settings.ts'

export const isForPlatform = ({ platform }: Release, product: Pick<ProductSettings, 'platform'>): boolean =>
  platform === product.platform || platform === ANY_PLATFORM
