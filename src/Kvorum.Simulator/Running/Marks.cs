using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>Counts interesting states that were reached, so that one can tell what the runs do not reach.</summary>
internal sealed class Marks : WorldObserver
{
    private readonly SimCounters _counts = new();

    public IReadOnlyDictionary<string, long> ToDictionary() => _counts.ToDictionary();

    public override void Stepped(int node, RaftNode raft, Input input, Effects effects)
    {
        for (var i = 0; i < effects.Events.Count; i++)
        {
            Mark(effects.Events[i]);
        }
    }

    private void Mark(RaftEvent raftEvent)
    {
        switch (raftEvent)
        {
            case RoleChanged { Role: Role.Leader }: _counts.Add("leader.elected"); break;
            case CampaignStarted { IsPreVote: true }: _counts.Add("prevote.started"); break;
            case CampaignStarted: _counts.Add("campaign.started"); break;
            case QuorumLost: _counts.Add("leader.lost.quorum"); break;
            case TailReplaced: _counts.Add("follower.truncates.conflict"); break;
            case TailLost: _counts.Add("tail.lost"); break;
            case PeerTailLost: _counts.Add("peer.tail.lost"); break;
            default: break;
        }
    }
}
