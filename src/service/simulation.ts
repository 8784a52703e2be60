/** propusk.simulation.v1.SimulationService: the market of the paper venue, set by hand. */
import { create } from '@bufbuild/protobuf';
import { parseDecimal } from '../domain/decimal.ts';
import {
  SetPriceResponseSchema,
  type SimulationService,
} from '../gen/propusk/simulation/v1/simulation_service_pb.js';
import type { ServiceImpl } from '../pipeline/call.ts';
import type { Simulation } from '../venue/venue.ts';

/** Makes the service. */
export function simulationService(simulation: Simulation): ServiceImpl<typeof SimulationService> {
  return {
    async setPrice({ symbol, price }) {
      const text = price?.value ?? '';
      await simulation.setPrice(symbol, text);
      const value = parseDecimal(text) ?? text;
      return create(SetPriceResponseSchema, { symbol, price: { value } });
    },
  };
}
