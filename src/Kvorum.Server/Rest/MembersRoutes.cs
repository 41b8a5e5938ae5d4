using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>Who is a member: <c>/v1/members</c> and what is below it.</summary>
/// <remarks>
/// Every change is asked for by names and may be repeated: what is so already is answered with success, so that a
/// caller whose connection broke asks again.
/// </remarks>
internal sealed class MembersRoutes(ServerContext context)
{
    private readonly IKvorum _kvorum = context.Kvorum;
    private readonly TimeSpan _timeout = context.Options.RequestTimeout;
    private readonly MembershipView _view = new(context);

    public async Task GetAsync(HttpContext http, RequestTarget target)
    {
        var options = QueryOptions.Parse(target.Query, QueryFields.Consistency);
        await _view.CatchUpAsync(options.Consistency, _timeout, http.RequestAborted).ConfigureAwait(false);
        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            MembersJson.WriteCluster(json, context, _kvorum.Status);
            json.WriteEndObject();
        }

        http.Response.Headers.CacheControl = "no-store";
        await body.SendAsync(http, StatusCodes.Status200OK, "application/json").ConfigureAwait(false);
    }

    /// <summary>Adds a node: it joins as a learner and is promoted by itself once it is in sync.</summary>
    public async Task PostAsync(HttpContext http, RequestTarget target)
    {
        var isDryRun = QueryOptions.Parse(target.Query, QueryFields.DryRun).IsDryRun;
        using var document = await JsonInput.ReadAsync(http).ConfigureAwait(false);
        var wish = MembersJson.ReadWish(document.RootElement, mayStayLearner: true);
        await _view.CatchUpAsync(Consistency.Linearizable, _timeout, http.RequestAborted).ConfigureAwait(false);
        if (_view.Find(wish.Name) is { } there)
        {
            RequireSame(wish, there);
            await AnswerAsync(http, isDryRun, there, Unchanged(Voters())).ConfigureAwait(false);
            return;
        }

        RequireFree(wish);
        var added = wish.ToAddress(MembershipView.DrawNodeId());
        var change = new MemberChange(MemberChangeKind.Add, added.Node, added, wish.StaysLearner);
        await ChangeAsync(http, change, isDryRun, StatusCodes.Status201Created).ConfigureAwait(false);
    }

    /// <summary>Makes a learner that is in sync a voter.</summary>
    public async Task PromoteAsync(HttpContext http, RequestTarget target)
    {
        var isDryRun = QueryOptions.Parse(target.Query, QueryFields.DryRun).IsDryRun;
        var member = await RequireMemberAsync(http, RestRoute.MemberNameOf(target.Path)).ConfigureAwait(false);
        var members = _kvorum.Status.Members;
        if (members.Any(found => found is { IsVoter: true, IsLeaving: false } && found.Node == member.Node))
        {
            await AnswerAsync(http, isDryRun, member, Unchanged(Voters())).ConfigureAwait(false);
            return;
        }

        var change = new MemberChange(MemberChangeKind.Promote, member.Node, New: null);
        await ChangeAsync(http, change, isDryRun, StatusCodes.Status200OK).ConfigureAwait(false);
    }

    /// <summary>Puts a new node in the place of another one, in one step once the new one is in sync.</summary>
    public async Task ReplaceAsync(HttpContext http, RequestTarget target)
    {
        var isDryRun = QueryOptions.Parse(target.Query, QueryFields.DryRun).IsDryRun;
        using var document = await JsonInput.ReadAsync(http).ConfigureAwait(false);
        var wish = MembersJson.ReadWish(document.RootElement, mayStayLearner: false);
        await _view.CatchUpAsync(Consistency.Linearizable, _timeout, http.RequestAborted).ConfigureAwait(false);
        var name = RestRoute.MemberNameOf(target.Path);
        if (_view.Find(wish.Name) is { } there)
        {
            // The same wish again: the new one may still be in line for the place, or have it already.
            RequireSame(wish, there);
            await AnswerAsync(http, isDryRun, there, Unchanged(Voters())).ConfigureAwait(false);
            return;
        }

        var old = _view.Find(name) ?? throw Missing(name);
        RequireFree(wish, except: old.Node);
        var added = wish.ToAddress(MembershipView.DrawNodeId());
        var change = new MemberChange(MemberChangeKind.Replace, old.Node, added);
        await ChangeAsync(http, change, isDryRun, StatusCodes.Status201Created).ConfigureAwait(false);
    }

    public async Task DeleteAsync(HttpContext http, RequestTarget target)
    {
        var isDryRun = QueryOptions.Parse(target.Query, QueryFields.DryRun).IsDryRun;
        var member = await RequireMemberAsync(http, RestRoute.MemberNameOf(target.Path)).ConfigureAwait(false);
        var change = new MemberChange(MemberChangeKind.Remove, member.Node, New: null);
        await ChangeAsync(http, change, isDryRun, StatusCodes.Status200OK).ConfigureAwait(false);
    }

    private static ProblemException Missing(string name) => new(
        Problem.MemberNotFound, $"Member: expected the name of a member, found {Problem.Quote(name)}.");

    private static void RequireSame(MemberWish wish, MemberAddress there)
    {
        if (there.PeerUrl.Length > 0 && there.PeerUrl != wish.PeerUrl)
        {
            throw new ProblemException(
                Problem.MemberExists,
                $"{wish.Name} is a member already, with its peers' address {there.PeerUrl}, not {wish.PeerUrl}. Choose "
                + "another name for a new node; a member that moved tells its new address itself when it starts.");
        }
    }

    private static MemberChangePlan Unchanged(ulong[] voters) =>
        new(null, voters, voters, MembersJson.QuorumOf(voters.Length), MembersJson.ToleratedOf(voters.Length));

    private ulong[] Voters() =>
        [.. _kvorum.Status.Members.Where(member => member.IsVoter).Select(member => member.Node)];

    private void RequireFree(MemberWish wish, ulong except = 0)
    {
        if (_view.FindByPeerUrl(wish.PeerUrl) is { } holder && holder.Node != except)
        {
            throw new ProblemException(
                Problem.MemberExists,
                $"Property 'peerUrl': expected an address of its own, found {wish.PeerUrl}, which is that of "
                + $"{holder.Name}.");
        }
    }

    private async Task<MemberAddress> RequireMemberAsync(HttpContext http, string name)
    {
        await _view.CatchUpAsync(Consistency.Linearizable, _timeout, http.RequestAborted).ConfigureAwait(false);
        return _view.Find(name) ?? throw Missing(name);
    }

    private async Task ChangeAsync(HttpContext http, MemberChange change, bool isDryRun, int status)
    {
        var member = change.New ?? _view.Find(change.Node);
        MemberChangePlan plan;
        try
        {
            plan = await _kvorum.ChangeMembersAsync(change, isDryRun, _timeout, http.RequestAborted)
                .ConfigureAwait(false);
        }
        catch (MemberChangeRefusedException refused)
        {
            throw await RefusalAsync(change, refused, http.RequestAborted).ConfigureAwait(false);
        }

        http.Response.StatusCode = isDryRun ? StatusCodes.Status200OK : status;
        await AnswerAsync(http, isDryRun, member, plan).ConfigureAwait(false);
    }

    /// <summary>The refusal with the quorum that would have resulted, when the node still tells it.</summary>
    private async Task<ProblemException> RefusalAsync(
        MemberChange change, MemberChangeRefusedException refused, CancellationToken cancel)
    {
        MemberChangePlan? plan = null;
        try
        {
            plan = await _kvorum.ChangeMembersAsync(change, isDryRun: true, _timeout, cancel).ConfigureAwait(false);
        }
        catch (KvorumException)
        {
            // The reason is known; what it would have come to is an addition.
        }

        return new ProblemException(Problem.ChangeRefused, refused.Message)
        {
            More = plan is null ? null : json => MembersJson.WritePlan(json, _view, plan, change.New),
        };
    }

    private async Task AnswerAsync(HttpContext http, bool isDryRun, MemberAddress? member, MemberChangePlan plan)
    {
        if (!isDryRun)
        {
            await _view.TryCatchUpAsync(http.RequestAborted).ConfigureAwait(false);
        }

        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            json.WriteString("name"u8, member?.Name);
            json.WriteString("id"u8, member is null ? null : MembersJson.IdText(member.Node));
            json.WriteBoolean("dryRun"u8, isDryRun);
            json.WriteBoolean("allowed"u8, plan.Refusal is null);
            json.WriteString("refusal"u8, plan.Refusal);
            MembersJson.WritePlan(json, _view, plan, member);
            MembersJson.WriteCluster(json, context, _kvorum.Status);
            json.WriteEndObject();
        }

        await body.SendAsync(http, http.Response.StatusCode, "application/json").ConfigureAwait(false);
    }
}
