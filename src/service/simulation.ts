/** propusk.simulation.v1.SimulationService: the market of the paper venue, set by hand. */
import { create } from '@bufbuild/protobuf';
import { DECIMAL_RULE, parseDecimal } from '../domain/decimal.ts';
import { type FieldViolation, refuseFields } from '../domain/errors.ts';
import { isSymbol, SYMBOL_RULE } from '../domain/symbol.ts';
import {
  SetPriceResponseSchema,
  type SimulationService,
} from '../gen/propusk/simulation/v1/simulation_service_pb.js';
import type { ServiceImpl } from '../pipeline/call.ts';
import type { Simulation } from '../venue/venue.ts';

/** Makes the service. */
export function simulationService(simulation: Simulation): ServiceImpl<typeof SimulationService> {
  return {
    async setPrice({ symbol, price: given }) {
      const price = parseDecimal(given?.value ?? '');
      const violations: FieldViolation[] = [];
      if (!isSymbol(symbol)) violations.push({ field: 'symbol', description: SYMBOL_RULE });
      if (price === undefined) violations.push({ field: 'price', description: DECIMAL_RULE });
      if (price === undefined || violations.length > 0) throw refuseFields(violations);
      await simulation.setPrice(symbol, price);
      return create(SetPriceResponseSchema, { symbol, price: { value: price } });
    },
  };
}
