using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>Who leads, and another one shall: <c>/v1/leader</c>.</summary>
internal sealed class LeaderRoutes(ServerContext context)
{
    private readonly IKvorum _kvorum = context.Kvorum;
    private readonly TimeSpan _timeout = context.Options.RequestTimeout;
    private readonly MembershipView _view = new(context);

    public Task GetAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        return AnswerAsync(http);
    }

    public async Task PostAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        var to = await ReadTargetAsync(http).ConfigureAwait(false);
        if (to is null || to != _kvorum.Status.Leader)
        {
            await TransferAsync(to, http.RequestAborted).ConfigureAwait(false);
            await _view.TryCatchUpAsync(http.RequestAborted).ConfigureAwait(false); // So that the answer names it.
        }

        await AnswerAsync(http).ConfigureAwait(false);
    }

    private async Task TransferAsync(ulong? to, CancellationToken cancel)
    {
        var before = _kvorum.Status.Leader;
        try
        {
            await _kvorum.TransferLeadershipAsync(to, _timeout, cancel).ConfigureAwait(false);
        }
        catch (OutcomeUnknownException) when (_kvorum.Status.Leader is { } leader)
        {
            // Nothing is lost when leadership stays, so it is told as it is now.
            if (to is null ? leader == before : leader != to)
            {
                throw new ProblemException(Problem.NotTakenOver, WhoLeads(to, leader, leader == before));
            }
        }
    }

    private string WhoLeads(ulong? to, ulong leader, bool goesOn)
    {
        var status = _kvorum.Status;
        var behind = "";
        foreach (var member in status.Members)
        {
            if (member.Node == to && status.Role is NodeRole.Leader && member.Match < status.LastLogIndex)
            {
                behind = $"; it is {status.LastLogIndex - member.Match} entries behind";
            }
        }

        return $"{(to is { } node ? context.NameOf(node) : "Nobody else")} did not take over in time{behind}. "
            + $"{context.NameOf(leader)} {(goesOn ? "goes on as the leader" : "leads instead")}.";
    }

    /// <summary>The node named by <c>{"to": "n2"}</c>; null when the body names nobody or is missing.</summary>
    private async Task<ulong?> ReadTargetAsync(HttpContext http)
    {
        if (http.Request.ContentType is null && http.Request.ContentLength is null or 0)
        {
            return null;
        }

        using var document = await JsonInput.ReadAsync(http).ConfigureAwait(false);
        JsonInput.CheckObject(document.RootElement, "Body", "to");
        if (!document.RootElement.TryGetProperty("to", out var property)
            || property.ValueKind is System.Text.Json.JsonValueKind.Null)
        {
            return null;
        }

        var name = property.ValueKind is System.Text.Json.JsonValueKind.String
            ? System.Text.Encoding.UTF8.GetString(JsonInput.BytesOf(property, "to"))
            : throw JsonInput.Wrong("to", "the name of a voter, or null");
        await _view.CatchUpAsync(Consistency.Linearizable, _timeout, http.RequestAborted).ConfigureAwait(false);
        return _view.Find(name)?.Node ?? throw new ProblemException(
            Problem.MemberNotFound, $"to: expected the name of a member, found {Problem.Quote(name)}.");
    }

    private async Task AnswerAsync(HttpContext http)
    {
        var status = _kvorum.Status;
        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            json.WriteString("leader"u8, status.Leader is { } leader ? context.NameOf(leader) : null);
            json.WriteNumber("term"u8, status.Term);
            json.WriteString("clientUrl"u8, status.Leader is { } found ? context.ClientUrlOf(found) : null);
            json.WriteEndObject();
        }

        http.Response.Headers.CacheControl = "no-store";
        await body.SendAsync(http, StatusCodes.Status200OK, "application/json").ConfigureAwait(false);
    }
}
