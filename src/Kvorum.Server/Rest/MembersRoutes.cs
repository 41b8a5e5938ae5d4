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
            RequireSame(wish, there);
            await ReplaceByMemberAsync(http, name, there, isDryRun).ConfigureAwait(false);
            return;
        }

        var old = _view.Find(name) ?? throw Missing(name);
        RequireFree(wish, except: old.Node);
        var added = wish.ToAddress(MembershipView.DrawNodeId());
        var change = new MemberChange(MemberChangeKind.Replace, old.Node, added);
        await ChangeAsync(http, change, isDryRun, StatusCodes.Status201Created).ConfigureAwait(false);
    }

    /// <summary>
    /// The new one is a member already: a success only when it has the place or is in line for it; a learner gets in
    /// line, and a voter has no place to take.
    /// </summary>
    private async Task ReplaceByMemberAsync(HttpContext http, string oldName, MemberAddress there, bool isDryRun)
    {
        var old = _view.Find(oldName);
        var member = StatusOf(there.Node);
        var isDone = member is { IsVoter: true, IsLeaving: false }
            && (old is null || StatusOf(old.Node) is null or { IsLeaving: true });
        if (isDone || (old is not null && member?.Replaces == old.Node))
        {
            await AnswerAsync(http, isDryRun, there, Unchanged(Voters())).ConfigureAwait(false);
            return;
        }

        if (old is null)
        {
            throw Missing(oldName);
        }

        if (member is null or { IsVoter: true })
        {
            var refused = Unchanged(Voters()) with { Refusal = WhyNot(old, there, member) };
            if (!isDryRun)
            {
                throw Refusal(refused.Refusal, refused, there);
            }

            await AnswerAsync(http, isDryRun, there, refused).ConfigureAwait(false);
            return;
        }

        var change = new MemberChange(MemberChangeKind.Replace, old.Node, there);
        await ChangeAsync(http, change, isDryRun, StatusCodes.Status200OK).ConfigureAwait(false);
    }

    private static string WhyNot(MemberAddress old, MemberAddress there, MemberStatus? member)
    {
        const string expected =
            "The change was refused: property 'name': expected the name of a new node or of a learner, found ";
        return old.Node == there.Node ? $"{expected}{there.Name} itself: it cannot take its own place."
            : member is { IsLeaving: false }
                ? $"{expected}{there.Name}, which votes already, beside {old.Name}. Remove {old.Name} if {there.Name} "
                    + $"is to be there in its stead, or replace {old.Name} by a node of another name."
            : $"{expected}{there.Name}, which is leaving. Choose another name.";
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

    private MemberStatus? StatusOf(ulong node)
    {
        foreach (var member in _kvorum.Status.Members)
        {
            if (member.Node == node)
            {
                return member;
            }
        }

        return null;
    }

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

        return Refusal(refused.Message, plan, change.New);
    }

    private ProblemException Refusal(string why, MemberChangePlan? plan, MemberAddress? added) =>
        new(Problem.ChangeRefused, why)
        {
            More = plan is null ? null : json => MembersJson.WritePlan(json, _view, plan, added),
        };

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
