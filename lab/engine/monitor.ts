/**
 * The server a Pulumi program talks to: the public resource-monitor and engine services.
 *
 * Once the run has stopped, every open request is answered with UNAVAILABLE: the SDK then ends the
 * program without another word, as with the real engine.
 */
import * as grpc from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import {
  GetRootResourceResponse,
  LogRequest,
  LogSeverity,
  SetRootResourceRequest,
  SetRootResourceResponse,
} from "@pulumi/pulumi/proto/engine_pb";
import { CheckFailure, InvokeResponse } from "@pulumi/pulumi/proto/provider_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import {
  ReadResourceRequest,
  ReadResourceResponse,
  RegisterResourceOutputsRequest,
  RegisterResourceRequest,
  RegisterResourceResponse,
  ResourceInvokeRequest,
  SupportsFeatureRequest,
  SupportsFeatureResponse,
} from "@pulumi/pulumi/proto/resource_pb";
import { goalOf, propsOf, readGoalOf, structOf } from "./decode";
import { Deployment } from "./deployment";
import { Executor, Stopped } from "./executor";
import { Report } from "./report";
import { UNKNOWN } from "./values";

const FEATURES = ["secrets", "resourceReferences", "deletedWith", "aliasSpecs"];
const MESSAGE_LIMIT = 400 * 1024 * 1024;

/** What the server serves. */
export interface MonitorArgs {
  readonly deployment: Deployment;
  readonly executor: Executor;
  readonly report: Report;
}

/** A running server. */
export interface Monitor {
  /** host:port, for `cmd/run`. */
  readonly address: string;
  /** Whether the program has said that it is finished. */
  finished(): boolean;
  close(): void;
}

/** Starts the server on a free port of the loopback interface. */
export async function serveMonitor(args: MonitorArgs): Promise<Monitor> {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": MESSAGE_LIMIT,
    "grpc.max_send_message_length": MESSAGE_LIMIT,
  });
  let finished = false;
  const finish = async (): Promise<Empty> => {
    finished = true;
    await args.deployment.finish();
    return new Empty();
  };
  server.addService(ResourceMonitorService, monitorHandlers(args, finish));
  server.addService(EngineService, engineHandlers(args));
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    finished: () => finished,
    close: () => server.forceShutdown(),
  };
}

type Unary<Q, A> = grpc.handleUnaryCall<Q, A>;

function monitorHandlers(
  args: MonitorArgs,
  finish: () => Promise<Empty>,
): grpc.UntypedServiceImplementation {
  const unary = <Q, A>(body: (request: Q) => Promise<A>): Unary<Q, A> =>
    answer(args.executor, body);
  const refuse = (what: string): Unary<unknown, Empty> =>
    unary(() => Promise.reject(new Error(`the lab engine has no ${what}: install the Pulumi CLI`)));
  return {
    supportsFeature: unary(async (request: SupportsFeatureRequest) =>
      new SupportsFeatureResponse().setHassupport(FEATURES.includes(request.getId())),
    ),
    registerResource: unary((request: RegisterResourceRequest) => register(request, args)),
    registerResourceOutputs: unary(async (request: RegisterResourceOutputsRequest) => {
      await args.deployment.registerOutputs(request.getUrn(), propsOf(request.getOutputs()));
      return new Empty();
    }),
    readResource: unary((request: ReadResourceRequest) => read(request, args)),
    invoke: unary((request: ResourceInvokeRequest) => invoke(request, args)),
    signalAndWaitForShutdown: unary(finish),
    getDeploymentInfo: unimplemented,
    call: refuse("method calls"),
    registerStackTransform: refuse("transforms"),
    registerStackInvokeTransform: refuse("transforms"),
    registerResourceHook: refuse("resource hooks"),
    registerErrorHook: refuse("error hooks"),
    registerPackage: refuse("parameterised packages"),
  };
}

async function register(
  request: RegisterResourceRequest,
  args: MonitorArgs,
): Promise<RegisterResourceResponse> {
  const state = await args.deployment.register(goalOf(request));
  const reply = new RegisterResourceResponse().setUrn(state.urn);
  if (state.id !== undefined && state.id !== UNKNOWN) reply.setId(state.id);
  // A component's outputs come later, by registerResourceOutputs.
  return reply.setObject(structOf(state.custom ? (state.outputs ?? {}) : {}));
}

async function read(
  request: ReadResourceRequest,
  args: MonitorArgs,
): Promise<ReadResourceResponse> {
  const state = await args.deployment.read(readGoalOf(request));
  return new ReadResourceResponse().setUrn(state.urn).setProperties(structOf(state.outputs ?? {}));
}

async function invoke(request: ResourceInvokeRequest, args: MonitorArgs): Promise<InvokeResponse> {
  const [token, asked] = [request.getTok(), propsOf(request.getArgs())];
  try {
    const found = await args.deployment.invoke(
      token,
      asked,
      request.getProvider(),
      request.getVersion(),
    );
    return new InvokeResponse().setReturn(structOf(found));
  } catch (error) {
    if (error instanceof Stopped) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return new InvokeResponse().setFailuresList([new CheckFailure().setReason(reason)]);
  }
}

function engineHandlers(args: MonitorArgs): grpc.UntypedServiceImplementation {
  let root = "";
  const unary = <Q, A>(body: (request: Q) => Promise<A>): Unary<Q, A> =>
    answer(args.executor, body);
  return {
    log: unary(async (request: LogRequest) => {
      log(request, args.report);
      return new Empty();
    }),
    getRootResource: unary(async () => new GetRootResourceResponse().setUrn(root)),
    setRootResource: unary(async (request: SetRootResourceRequest) => {
      root = request.getUrn();
      return new SetRootResourceResponse();
    }),
    startDebugging: unary(async () => new Empty()),
    requirePulumiVersion: unary(async () => new Empty()),
  };
}

function log(request: LogRequest, report: Report): void {
  const severities = {
    [LogSeverity.DEBUG]: "debug",
    [LogSeverity.INFO]: "info",
    [LogSeverity.WARNING]: "warning",
    [LogSeverity.ERROR]: "error",
  } as const;
  const severity = severities[request.getSeverity()];
  const urn = request.getUrn() === "" ? undefined : request.getUrn();
  if (severity === "debug") return;
  if (request.getEphemeral() && urn !== undefined) report.ephemeral(request.getMessage(), urn);
  else report.diagnostic(severity, request.getMessage(), urn);
}

function answer<Q, A>(executor: Executor, body: (request: Q) => Promise<A>): Unary<Q, A> {
  return (call, callback) => {
    body(call.request).then(
      (reply) => callback(null, reply),
      async (error: unknown) => {
        if (error instanceof Stopped) await executor.halted;
        const code = error instanceof Stopped ? grpc.status.UNAVAILABLE : grpc.status.UNKNOWN;
        const details = error instanceof Error ? error.message : String(error);
        callback({ code, details });
      },
    );
  };
}

const unimplemented: Unary<unknown, Empty> = (_call, callback) =>
  callback({ code: grpc.status.UNIMPLEMENTED, details: "not in this engine" });
