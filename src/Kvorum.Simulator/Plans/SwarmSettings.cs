namespace Kvorum.Simulator;

/// <summary>Draws what a run is made of: every dimension may be off, tiny or extreme.</summary>
internal static class SwarmSettings
{
    public static SimSettings Draw(ulong seed)
    {
        var chance = new ChanceSource(new KeyedChance(seed), ChanceStream.Settings, 0);
        return new SimSettings { Clients = 2 + chance.Below(4) };
    }
}
