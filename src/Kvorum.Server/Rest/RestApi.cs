using Kvorum.Node;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server.Rest;

/// <summary>
/// The HTTP interface of a node: finds the route of a request by its raw target, runs it, and answers every failure as
/// a problem. It ends the pipeline: whatever comes here is answered here.
/// </summary>
/// <remarks>
/// Not endpoint routing, because that matches a path already decoded and cleaned, in which keys with slashes, dots or
/// bytes that are not UTF-8 have lost themselves; and because one prefix test is cheaper on the hot path.
/// </remarks>
internal sealed class RestApi
{
    private const string AllMethods = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

    private readonly ILogger _logger;
    private readonly KeyRoutes _keyRoutes;
    private readonly ListRoute _listRoute;
    private readonly TxnRoutes _txnRoutes;
    private readonly KeysRoutes _keysRoutes;
    private readonly MembersRoutes _membersRoutes;
    private readonly LeaderRoutes _leaderRoutes;
    private readonly StatusRoutes _statusRoutes;
    private readonly ShortFormRoutes _shortFormRoutes;

    public RestApi(ServerContext context, ILoggerFactory loggers)
    {
        _logger = loggers.CreateLogger("Kvorum.Server.Rest");
        _keyRoutes = new KeyRoutes(context);
        _listRoute = new ListRoute(context);
        _txnRoutes = new TxnRoutes(context);
        _keysRoutes = new KeysRoutes(context);
        _membersRoutes = new MembersRoutes(context);
        _leaderRoutes = new LeaderRoutes(context);
        _statusRoutes = new StatusRoutes(context);
        _shortFormRoutes = new ShortFormRoutes(context);
    }

    /// <summary>Keeps browsers from taking a stored value for a page or a script.</summary>
    public static void ForbidSniffing(HttpResponse response) => response.Headers.XContentTypeOptions = "nosniff";

    public async Task HandleAsync(HttpContext http)
    {
        ForbidSniffing(http.Response);
        try
        {
            await RouteAsync(http).ConfigureAwait(false);
        }
        catch (ProblemException e)
        {
            await ProblemWriter.WriteAsync(http, e.Problem, e.Message, e).ConfigureAwait(false);
        }
        catch (KvorumException e)
        {
            await ProblemWriter.WriteAsync(http, ProblemWriter.Of(e), ProblemWriter.DetailOf(e)).ConfigureAwait(false);
        }
        catch (BadHttpRequestException e)
        {
            // The host's words: a body cut short, too slow, or framed wrongly.
            var problem = e.StatusCode == Problem.TooLarge.Status
                ? Problem.TooLarge
                : Problem.HostRefused with { Status = e.StatusCode };
            await ProblemWriter.WriteAsync(http, problem, e.Message).ConfigureAwait(false);
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            // The caller is gone; there is nobody to answer.
        }
        catch (Exception e)
        {
            var route = RestRoute.Match(http.Request.Path.Value)?.Template ?? "(none)";
            Log.RequestFailed(_logger, e, http.Request.Method, route);
            await ProblemWriter.WriteAsync(http, Problem.Internal, "Unexpected failure; the node's log says more.")
                .ConfigureAwait(false);
        }
    }

    private Task RouteAsync(HttpContext http)
    {
        var raw = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (!RequestTarget.TryParse(raw, out var target))
        {
            throw new ProblemException(
                Problem.BadTarget,
                $"Request target: expected a path, found {Problem.Quote(raw)}.");
        }

        var method = http.Request.Method;
        var isOptions = HttpMethods.IsOptions(method);
        if (isOptions && target.Path.IsEmpty)
        {
            return AnswerOptions(http, AllMethods);
        }

        var route = RestRoute.Match(target.Path) ?? throw new ProblemException(
            Problem.RouteNotFound,
            $"Path: expected one of those in /openapi.json, found {Problem.Quote(target.Path)}.");
        if (isOptions)
        {
            return AnswerOptions(http, route.Allow);
        }

        var isGet = HttpMethods.IsGet(method) || HttpMethods.IsHead(method);
        return Dispatch(http, target, route, isGet) ?? throw new ProblemException(
            Problem.MethodNotAllowed, $"Method: expected one of {route.Allow}, found {Problem.Quote(method)}.")
        {
            Allow = route.Allow,
        };
    }

    /// <returns>Null when the route does not know the method.</returns>
    private Task? Dispatch(HttpContext http, RequestTarget target, RestRoute route, bool isGet)
    {
        var method = http.Request.Method;
        var isPost = HttpMethods.IsPost(method);
        var isDelete = HttpMethods.IsDelete(method);
        return route switch
        {
            _ when route == RestRoute.Key && isGet => _keyRoutes.GetAsync(http, target),
            _ when route == RestRoute.Key && HttpMethods.IsPut(method) => _keyRoutes.PutAsync(http, target),
            _ when route == RestRoute.Key && isDelete => _keyRoutes.DeleteAsync(http, target),
            _ when route == RestRoute.List && isGet => _listRoute.GetAsync(http, target),
            _ when route == RestRoute.Keys && isGet => _keysRoutes.GetAsync(http, target),
            _ when route == RestRoute.Keys && isPost => _keysRoutes.PostAsync(http, target),
            _ when route == RestRoute.ShortForm && isGet => _shortFormRoutes.GetAsync(http, target),
            _ when route == RestRoute.ShortForm && isPost => _shortFormRoutes.PostAsync(http, target),
            _ when route == RestRoute.Txn && isPost => _txnRoutes.PostTxnAsync(http, target),
            _ when route == RestRoute.Compact && isPost => _txnRoutes.PostCompactAsync(http, target),
            _ when route == RestRoute.Members && isGet => _membersRoutes.GetAsync(http, target),
            _ when route == RestRoute.Members && isPost => _membersRoutes.PostAsync(http, target),
            _ when route == RestRoute.Member && isDelete => _membersRoutes.DeleteAsync(http, target),
            _ when route == RestRoute.Promote && isPost => _membersRoutes.PromoteAsync(http, target),
            _ when route == RestRoute.Replace && isPost => _membersRoutes.ReplaceAsync(http, target),
            _ when route == RestRoute.Leader && isGet => _leaderRoutes.GetAsync(http, target),
            _ when route == RestRoute.Leader && isPost => _leaderRoutes.PostAsync(http, target),
            _ when route == RestRoute.Status && isGet => _statusRoutes.GetJsonAsync(http, target),
            _ when route == RestRoute.AdminStatus && isGet => _statusRoutes.GetTextAsync(http, target),
            _ when route == RestRoute.OpenApi && isGet => OpenApiDocument.GetAsync(http, target),
            _ => null,
        };
    }

    private static Task AnswerOptions(HttpContext http, string allow)
    {
        http.Response.StatusCode = StatusCodes.Status204NoContent;
        http.Response.Headers.Allow = allow;
        return Task.CompletedTask;
    }
}
